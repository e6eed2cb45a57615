Feature: The how-to as it was published fails, and says where

  What somebody meets who follows the text to the letter. Each scenario makes one mistake in a set-up that would work
  without it.

  Background:
    Given the network "how-to"
    And tinc is set up as it should be

  Scenario: The shell that writes tinc-up swallows the interface's name
    Given v6router's tinc-up was written through an unquoted here-document
    When the daemon on v6router is started
    Then the daemon on v6router says "argument is required" within 5 s
    And the daemon on v6router says "Ready" within 5 s
    And node_one does not reach www in 0.5 s

  Scenario: Routes to an interface that is down
    Given v6router's tinc-up leaves the interface down and routes the whole address space to it
    When the daemon on v6router is started
    Then the daemon on v6router says "Nexthop device is not up" within 5 s
    And www does not reach laptop in 0.5 s

  Scenario: The server's routes lead through an address that is on no link
    Given v6router's tinc-up routes through 2001:db8:85a3::11, which is on no link
    When all daemons are started
    Then the daemon on v6router says "No route to host" within 5 s
    And node_one reaches v6router within 5 s
    And www does not reach laptop in 0.5 s

  Scenario: A name with a hyphen
    Given node_one calls itself "node-one" in tinc.conf
    When the daemon on node_one is started
    Then the daemon on node_one says "Invalid name for myself" within 5 s
    And the daemon on node_one ends with exit code 1 within 5 s

  Scenario: A key made for another network than the one configured
    When node_one runs "tincd -n node-one -K"
    Then that fails and names "/etc/tinc/node-one"
    And node_one has no file "/etc/tinc/node-one/rsa_key.priv"

  Scenario: The Pi's default route leads through an address nobody has
    Given node_one's tinc-up routes through 2001:db8:85a3::1, which is on no link
    When all daemons are started
    Then the daemon on node_one says "No route to host" within 5 s
    And node_one reaches v6router within 5 s
    And laptop does not reach www in 0.5 s

  Scenario: The Pi looks for the server at an address that is private
    Given node_one looks for v6router at 10.0.0.1
    When all daemons are started
    Then the daemon on node_one says "10.0.0.1" within 5 s
    And node_one does not reach v6router in 2 s

  Scenario: Nobody has switched forwarding on
    Given node_one's tinc-up does not switch forwarding on
    When all daemons are started
    Then node_one reaches www within 5 s
    And laptop does not reach www in 0.5 s
