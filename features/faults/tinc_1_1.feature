@mixed
Feature: What networks do to UDP between ours and tinc 1.1

  A tinc 1.1 that is told to send by its meta connection stays connected, loses nothing, and comes back to UDP.

  @long
  Scenario Outline: UDP is blocked, and let pass again, <server> on the server and <pi> on the Pi
    Given the network "how-to"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    When UDP is blocked at cafe
    Then pings of 100 bytes from laptop to www are answered within 10 s
    # Longer than until it has a key again, so that it would use it.
    And 22000 pings from laptop to www lose none
    When UDP passes cafe again
    Then pings from node_one to v6router go directly by UDP within 60 s
    And 1000 pings from laptop to www lose none

    Examples:
      | server   | pi       |
      | tinc11   | v6router |
      | v6router | tinc11   |

  Scenario Outline: The uplink carries less, and nobody is told, <server> on the server and <pi> on the Pi
    Given the network "how-to"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    And pings of 1400 bytes from laptop to www are answered within 5 s
    When the uplink of cafe carries 1400 bytes, and nobody is told
    # Ours notices by what it has to send itself.
    Then pings of 1400 bytes from <near> to <far> are answered within 5 s
    And pings of 1400 bytes from laptop to www are answered within 5 s
    And pings from node_one to v6router go directly by UDP within 120 s
    And pings of 1400 bytes from laptop to www are answered within 5 s
    And 1000 pings from laptop to www lose none

    Examples:
      | server   | pi       | near   | far    |
      | tinc11   | v6router | laptop | www    |
      | v6router | tinc11   | www    | laptop |
