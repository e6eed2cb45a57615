@v6router @serial
Feature: A server that strangers attack goes on serving its own

  Background:
    Given the network "siege"
    And tinc is set up as it should be
    When the daemon on v6router is started
    Then the daemon on v6router says "Ready" within 5 s
    When the daemon on node_one is started
    Then laptop reaches www within 5 s

  Scenario: Thousands of connections that prove nothing, and packets of rubbish
    When mallory opens 1000 idle connections to v6router
    And mallory opens 1000 slow connections to v6router
    And mallory sends v6router 50000 packets of rubbish a second
    Then less than 1 % of pings from laptop to www are lost meanwhile
    When the daemon on node_two is started
    Then node_two reaches v6router within 5 s
    And the daemon on v6router has taken less than 10 MB of memory meanwhile

  Scenario: Babble, lines that never end, and somebody else's name
    When mallory opens 50 babbling connections to v6router
    And mallory opens 50 endless connections to v6router
    And mallory opens 50 lying connections to v6router
    Then less than 1 % of pings from laptop to www are lost meanwhile
    And the daemon on v6router says "closing the connection with a stranger" within 5 s
    And the daemon on v6router says "closing the connection with node_two" within 5 s
    When the daemon on node_two is started
    Then node_two reaches v6router within 5 s
    And the daemon on v6router has taken less than 10 MB of memory meanwhile
