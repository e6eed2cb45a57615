@v6router
Feature: What was not sealed by a peer, or was delivered before, goes nowhere

  Scenario Outline: Packets sent <how> to one who remembers <window> bytes of what it delivered
    Given the network "how-to"
    And tinc is set up as it should be
    And v6router remembers <window> bytes of what it delivered
    And all daemons run
    Then laptop reaches www within 5 s
    Given somebody listens between internet and cafe
    Then pings from laptop to www go by UDP 655 within 8 s
    Given somebody listens between internet and cafe
    When laptop says "meet me behind the old mill" to www
    And the packets for v6router that were heard are kept
    Given somebody listens between internet and www
    When internet sends each of them <how>
    Then laptop reaches www within 1 s
    And <who> heard "meet me behind the old mill"

    Examples:
      | window | how                                               | who      |
      | 16     | again                                             | nobody   |
      | 16     | again with every bit of it changed in turn        | nobody   |
      | 0      | again with every bit of it changed in turn        | nobody   |
      | 0      | again                                             | somebody |
