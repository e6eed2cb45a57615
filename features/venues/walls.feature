@v6router @tincd
Feature: Venues that do not let everything out

  Where a wall leaves a way, the server can be found there, and a Pi is on the internet. Where none is left, the Pi's
  log says what the network answered. How soon laptops reach the internet is told, so that runs with different daemons
  can be held against each other.

  Scenario Outline: A Pi in a place like <venue>, with the server at port <port>, is on the internet
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    And v6router is to be found at port <port>
    When all daemons are started
    Then laptop reaches www within 15 s, and how soon is told
    And www reaches laptop within 2 s
    And 100 pings from laptop to www lose none

    Examples:
      | venue              | port |
      | hotel-udp-blocked  | 655  |
      | web-only           | 443  |
      | dpi-655            | 443  |
      | dpi-655-prohibited | 443  |
      | enterprise         | 443  |
      | cloud-vm           | 655  |
      | clash-lan          | 655  |

  Scenario: A Pi in a hotel is on the internet as soon as somebody has logged in with it
    Given the network "how-to" with cafe like "hotel-portal"
    And tinc is set up as it should be
    When all daemons are started
    Then the daemon on node_one says "Connection refused" within 3 s
    And laptop does not reach www in 3 s
    When node_one logs in at the portal of cafe
    Then laptop reaches www within 15 s, and how soon is told
    And www reaches laptop within 4 s
    And of 300 pings from laptop to www at most 20 % are lost

  Scenario: When the time that was paid for is over, a Pi is outside until the next login
    Given the network "how-to" with cafe like "hotel-portal"
    And tinc is set up as it should be
    And node_one has logged in at the portal of cafe
    And all daemons run
    Then laptop reaches www within 15 s
    And pings from node_one to v6router go directly by UDP within 10 s
    When the portal of cafe forgets its guests
    Then laptop does not reach www in 3 s
    When node_one logs in at the portal of cafe
    Then laptop reaches www within 30 s, and how soon is told
    And www reaches laptop within 2 s

  Scenario: Two Pis in one hotel, whose guests do not hear each other, talk through the server
    Given the network "one-lan" with home like "hotel-portal"
    And tinc is set up as it should be
    And node_one's tinc.conf also says "LocalDiscovery = yes"
    And node_two's tinc.conf also says "LocalDiscovery = yes"
    And node_one has logged in at the portal of home
    And node_two has logged in at the portal of home
    And all daemons run
    When the line of home loses 0 % of its packets
    Then pings from node_one to v6router go directly by UDP within 10 s
    And pings from node_two to v6router go directly by UDP within 10 s
    And node_one reaches node_two within 10 s
    And pings from node_one to node_two go through v6router and lose none, for 5 s

  Scenario Outline: A Pi in a place like <venue>, with the server at tinc's own port, stays outside and says why
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    When all daemons are started
    Then the daemon on node_one says "<words>" within 3 s
    And laptop does not reach www in 3 s

    Examples:
      | venue              | words              |
      | web-only           | Connection refused |
      | dpi-655            | Connection refused |
      | dpi-655-prohibited | No route to host   |
      | enterprise         | No route to host   |
