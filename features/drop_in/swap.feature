@mixed
Feature: One daemon takes the place of the other

  The same directory, untouched; whoever talks across the machine loses what one reconnection costs.

  Scenario Outline: On the Pi, <second> takes over from <first> while the laptop talks
    Given the network "how-to"
    And the daemon on v6router is to be v6router
    And the daemon on node_one is to be <first>
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And the daemon on v6router has said "activated" 1 times
    When the daemon on node_one is replaced by <second>
    Then laptop reaches www again in good time
    And www reaches laptop within 1 s
    And the daemon on v6router has said "activated" 2 times

    Examples:
      | first    | second   |
      | tincd    | v6router |
      | v6router | tincd    |

  Scenario Outline: On the server, <second> takes over from <first> while the laptop talks
    Given the network "how-to"
    And the daemon on v6router is to be <first>
    And the daemon on node_one is to be v6router
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    When the daemon on v6router is replaced by <second>
    Then laptop reaches www again in good time
    And www reaches laptop within 1 s
    And the daemon on node_one has said "activated" 2 times

    Examples:
      | first    | second   |
      | tincd    | v6router |
      | v6router | tincd    |
