@mixed
Feature: Either daemon at either end

  Somebody who has tinc everywhere changes one machine at a time, and may begin at either end.

  Scenario Outline: <server> on the server, <pi> on the Pi
    Given the network "how-to"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    And www reaches laptop within 1 s
    And pings from laptop to www go by UDP 655 within 8 s
    When the daemon on node_one is killed
    Then laptop does not reach www in 1.1 s
    When the daemon on node_one is started
    Then laptop reaches www again in good time
    When the daemon on v6router is killed
    Then laptop does not reach www in 1.1 s
    When the daemon on v6router is started
    Then laptop reaches www again in good time

    Examples:
      | server   | pi       |
      | tincd    | v6router |
      | v6router | tincd    |
