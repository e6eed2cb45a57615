Feature: The venue sees a tinc connection and nothing else

  Scenario: Nothing but port 655 leaves the cafe, and nothing in the clear
    Given the network "how-to"
    And tinc is set up as it should be
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    When laptop says "meet me behind the old mill" to www
    Then nothing was heard but TCP 655 and UDP 655
    And nobody heard "meet me behind the old mill"
    And nobody heard an address of the overlay

  Scenario: Packets go by UDP as soon as that is known to work
    Given the network "how-to"
    And tinc is set up as it should be
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    And pings from laptop to www go by UDP 655 within 8 s

  Scenario: The listener would hear it if it were there
    Given the network "how-to"
    And somebody listens between internet and www
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    When laptop says "meet me behind the old mill" to www
    Then somebody heard "meet me behind the old mill"
