@v6router
Feature: Nobody waits for what can be noticed at once, nor for ever for who has fallen silent

  Scenario: A server whose daemon stands still is given up when a ping goes unanswered
    Given the network "how-to"
    And tinc is set up as it should be
    And node_one's tinc.conf also says "PingInterval = 3"
    And node_one's tinc.conf also says "PingTimeout = 2"
    And all daemons run
    Then laptop reaches www within 10 s
    When the daemon on v6router is frozen for 9 s
    Then the daemon on node_one says "ping timeout" within 1 s
    And laptop reaches www within 15 s

  Scenario: A Pi that has nothing but TCP and is carried elsewhere is back long before its next ping
    Given the network "roaming"
    And tinc is set up as it should be
    And node_one's tinc.conf also says "TCPOnly = yes"
    And node_one's tinc.conf also says "PingInterval = 600"
    And all daemons run
    Then laptop reaches www within 10 s
    When node_one moves to hotel
    Then laptop reaches www within 20 s, and how soon is told
