@mixed
Feature: tinc 1.1 at either end, in its legacy mode

  tinc 1.1 still speaks the protocol of 1.0 to whoever asks for it with RSA keys alone.

  Scenario Outline: <server> on the server, <pi> on the Pi
    Given the network "how-to"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    And www reaches laptop within 1 s
    And 1000 pings from laptop to www lose none
    And pings from laptop to www go by UDP 655 within 8 s
    When the daemon on node_one is stopped
    And the daemon on node_one is started
    Then laptop reaches www again in good time

    Examples:
      | server   | pi       |
      | tinc11   | v6router |
      | v6router | tinc11   |
