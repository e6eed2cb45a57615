@v6router
Feature: Kits behind a Pi are on the internet

  A kit has no router of its own: it speaks IPv6 over Bluetooth Low Energy with the Pi, which has a router.toml and
  nothing else. Its address follows from its device address and the Pi's prefix, wherever the Pi is.

  Background:
    Given the network "sixlowpan"
    And tinc is set up as it should be, by router.toml

  Scenario: A kit reaches the internet and is reached from there
    When all daemons are started
    Then kit_one reaches www within 10 s
    And www reaches kit_one within 5 s
    And www reaches kit_two within 5 s
    And www reaches laptop within 5 s
    And laptop reaches kit_one within 5 s
    And kit_one reaches kit_two within 5 s
    And the way from kit_one to www leads through node_one, then v6router, then internet, then www

  Scenario: Somebody on the internet brews coffee on kits, and kits do on the internet
    Given www has a coffee machine too
    When all daemons are started
    Then www brews coffee on kit_one within 15 s
    And laptop brews coffee on kit_two within 10 s
    And kit_one brews coffee on www within 10 s
    And kit_one brews coffee on kit_two within 10 s
    And www is answered "4.04" when it asks kit_one to GET "tea"
    And www is answered "4.05" when it asks kit_one to DELETE "coffee"

  Scenario: A kit that is switched on is there at once
    Given kit_one is switched off
    And kit_two is switched off
    And all daemons run
    Then laptop reaches www within 8 s
    And www does not reach kit_one in 1 s
    When kit_one is switched on
    Then kit_one reaches www within 10 s, and how soon is told
    When kit_one is switched off
    Then www does not reach kit_one in 3 s
    When kit_one is switched on
    Then www reaches kit_one within 10 s, and how soon is told

  Scenario: A conversation survives that the Pi is carried to another venue
    Given all daemons run
    When www begins a conversation with kit_one
    And node_one moves to hotel
    Then the conversation has paused for less than 5 s
    And www reaches kit_two within 5 s

  Scenario: A conversation survives that the server is started again
    Given all daemons run
    When www begins a conversation with kit_one
    And the daemon on v6router is stopped
    And the daemon on v6router is started
    Then the conversation goes on within 20 s

  Scenario: The longest packet of the link passes whole, and longer ones in pieces
    Given all daemons run
    Then www reaches kit_one within 10 s
    When www runs "ping -6 -c 2 -W 5 -s 1232 -M do kit_one"
    Then that succeeds
    When www runs "ping -6 -c 2 -W 5 -s 1352 -M do kit_one"
    Then that fails and names ""
    When www runs "ping -6 -c 4 -W 5 -s 1352 kit_one"
    Then that succeeds
