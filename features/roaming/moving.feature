@v6router @tincd
Feature: A Pi that is carried from place to place brings IPv6 along

  Each place gives the Pi another address by DHCP and is seen as another on the internet, while laptops keep theirs. How
  soon they reach the internet again is told, so that daemons can be held against each other.

  Background:
    Given the network "roaming"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s

  Scenario: From a cafe to a hotel
    When node_one moves to hotel
    Then laptop reaches www within 30 s, and how soon is told
    And node_one is given an address by hotel within 1 s
    And www reaches laptop within 2 s

  Scenario: By train, with a telephone, tunnels, and a hotel at the end
    When node_one moves to telephone
    Then laptop reaches www within 30 s, and how soon is told
    And node_one is given an address by telephone within 1 s
    When node_one is unplugged
    Then laptop does not reach www in 8 s
    When node_one is plugged in at telephone
    Then laptop reaches www within 30 s, and how soon is told
    When node_one is unplugged
    Then laptop does not reach www in 3 s
    When node_one is plugged in at hotel
    Then laptop reaches www within 30 s, and how soon is told
    And node_one is given an address by hotel within 1 s
    And www reaches laptop within 2 s

  Scenario: Back to where it was
    When node_one moves to hotel
    Then laptop reaches www within 30 s
    When node_one moves to cafe
    Then laptop reaches www within 30 s, and how soon is told
    And node_one is given an address by cafe within 1 s
