Feature: Nobody is let in by a name alone

  Scenario: A Pi that has made itself new keys stays outside until the server is told
    Given the network "how-to"
    And tinc is set up as it should be
    When node_one runs "tincd -n v6router -K"
    Then that succeeds
    When all daemons are started
    Then laptop does not reach www in 3 s
    Given the host files are exchanged
    When the daemon on v6router is stopped
    And the daemon on v6router is started
    Then laptop reaches www within 15 s
