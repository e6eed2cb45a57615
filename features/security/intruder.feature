@v6router @tincd
Feature: Who knows a name and a public key, and has no key of his own to prove the name, is not let in

  # Silent: goes on as if he had answered the challenge. Brazen: goes on before there is any.
  Scenario Outline: An intruder who says to be a Pi, <manner>, is let in no further than anybody
    Given the network "siege"
    And tinc is set up as it should be, with scripts that note when they run
    When the daemon on v6router is started
    Then the daemon on v6router says "Ready" within 5 s
    When mallory poses as node_two to v6router, <manner>
    Then mallory is let in no further than anybody
    And these scripts ran on v6router, in this order:
      | tinc-up |
    When the daemon on node_two is started
    Then node_two reaches v6router within 8 s

    Examples:
      | manner   |
      | guessing |
      | silent   |
      | brazen   |
