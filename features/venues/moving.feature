@v6router @tincd
Feature: A Pi that is carried into a venue with a portal

  Scenario: From a cafe to a hotel, where somebody has to log in with it
    Given the network "roaming" with hotel like "hotel-portal"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    When node_one is unplugged
    Then laptop does not reach www in 2 s
    When node_one is plugged in at hotel
    Then node_one is given an address by hotel within 10 s
    And laptop does not reach www in 3 s
    When node_one logs in at the portal of hotel
    Then laptop reaches www within 60 s, and how soon is told
    And www reaches laptop within 2 s
