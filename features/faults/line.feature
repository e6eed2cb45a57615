@v6router @tincd
Feature: What lines do while packets flow

  Scenario: The line is cut for a moment
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    When the line of cafe is cut
    Then laptop does not reach www in 4 s
    When the line of cafe is mended
    Then laptop reaches www within 5 s, and how soon is told
    And 300 pings from laptop to www lose none

  Scenario: The line becomes bad, and good again
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    When the line of cafe loses 5 % of its packets, in bursts of 3
    Then of 500 pings from laptop to www at most 20 % are lost
    When the line of cafe takes 150 ms each way
    Then of 300 pings from laptop to www at most 25 % are lost
    When the line of cafe is as it was
    Then 500 pings from laptop to www lose none

  Scenario: Packets come twice and out of order
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    When the line of cafe brings 10 % of its packets twice
    Then 500 pings from laptop to www lose none
    When the line of cafe brings 10 % of its packets out of order
    Then 500 pings from laptop to www lose none
