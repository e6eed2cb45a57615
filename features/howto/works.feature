Feature: The mended how-to brings IPv6 to a table in somebody else's network

  A server has an address space to spare. A Pi in a cafe that has never heard of IPv6 dials it, and whatever is
  plugged into the Pi is on the IPv6 internet, with an address everybody can reach.

  Scenario: A Pi and the laptop behind it are on the internet
    Given the network "how-to"
    And tinc is set up as it should be
    When all daemons are started
    Then node_one reaches www within 5 s
    And laptop reaches www within 1 s
    And www reaches laptop within 1 s
    And 1000 pings from laptop to www lose none

  Scenario: The way leads through the Pi and the server
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And the way from laptop to www leads through node_one, then v6router, then internet, then www
    And the way from www to laptop leads through internet, then v6router, then node_one, then laptop

  Scenario: What no site has is refused, not sent in circles
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And www is told by v6router that there is no way to 2001:db8:85a3:ef77::1

  Scenario: Five Pis in five homes
    Given the network "five-pis"
    And tinc is set up as it should be
    When all daemons are started
    Then every client reaches www within 8 s
    And www reaches every client within 2 s
    And node_one reaches node_two within 5 s
    And laptop_one reaches laptop_five within 5 s
    And the way from laptop_one to laptop_five leads through node_one, then v6router, then node_five

  Scenario: A Pi cabled to a notebook that shares its WLAN
    Given the network "laptop-sharing"
    And tinc is set up as it should be
    When all daemons are started
    Then laptop reaches www within 8 s
    And www reaches laptop within 1 s

  Scenario: Keys made as the how-to says
    Given the network "how-to"
    And tinc is set up as it should be, but without keys
    When v6router runs "tincd -n v6router -K"
    Then that succeeds
    When node_one runs "tincd -n v6router -K"
    Then that succeeds
    Given the host files are exchanged
    When all daemons are started
    Then laptop reaches www within 5 s
