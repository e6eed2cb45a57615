Feature: Venues that let nothing out but what their web proxy fetches

  This one connects to port 443 and to no other, so that is where the server has to be found.

  Background:
    Given the network "how-to" with cafe like "proxy-only"
    And tinc is set up as it should be
    And v6router is to be found at port 443

  Scenario: A Pi that knows of the proxy is on the internet
    Given node_one's tinc.conf also says "Proxy = http 192.168.1.1 3128"
    When all daemons are started
    Then laptop reaches www within 5 s, and how soon is told
    And www reaches laptop within 1 s
    And 300 pings from laptop to www lose none

  @v6router
  Scenario: One that does not know of it stays outside, and says that nobody answers
    When all daemons are started
    Then the daemon on node_one says "Cannot reach v6router at 198.51.100.10 port 443: no answer in time" within 10 s
    And laptop does not reach www in 1 s

  @tincd
  Scenario: A tincd that does not know of it stays outside, and says that it took too long
    When all daemons are started
    Then the daemon on node_one says "Timeout from v6router (198.51.100.10 port 443) during authentication" within 15 s
    And laptop does not reach www in 1 s
