@v6router @tincd
Feature: What happens to a venue or to a machine in it is over soon

  Nobody moves, but what the way to the server went through is not what it was: a router that forgot its flows, another
  public address, a machine that slept. How soon laptops reach the internet again is told.

  Scenario: A router forgets every flow, and gives out other ports than before
    Given the network "how-to" with cafe like "hotel-symmetric"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    When the router of cafe forgets every flow
    Then laptop reaches www within 40 s, and how soon is told
    And www reaches laptop within 2 s

  Scenario: A venue is given another public address
    Given the network "how-to" with cafe like "home-default"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    When cafe is given the public address 203.0.113.77
    Then laptop reaches www within 40 s, and how soon is told
    And www reaches laptop within 2 s

  Scenario: A Pi sleeps
    Given the network "how-to" with cafe like "cafe-dhcp"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    When node_one is sent to sleep for 15 s
    Then laptop reaches www within 40 s, and how soon is told
    And www reaches laptop within 2 s

  Scenario: The server's daemon stands still for a while
    Given the network "how-to"
    And tinc is set up as it should be
    And node_one's tinc.conf also says "PingInterval = 3"
    And node_one's tinc.conf also says "PingTimeout = 2"
    And all daemons run
    Then laptop reaches www within 10 s
    When the daemon on v6router is frozen for 12 s
    Then laptop reaches www within 40 s, and how soon is told
    And www reaches laptop within 2 s

  Scenario: The Pi's daemon stands still for longer than the server's ping timeout
    Given the network "how-to"
    And tinc is set up as it should be
    And v6router's tinc.conf also says "PingInterval = 3"
    And v6router's tinc.conf also says "PingTimeout = 2"
    And all daemons run
    Then laptop reaches www within 10 s
    When the daemon on node_one is frozen for 12 s
    Then laptop reaches www within 40 s, and how soon is told
    And www reaches laptop within 2 s
