@v6router
Feature: What is on the air between a Pi and its kits

  The lab's border router writes it down as a Bluetooth controller would tell it to its host, and Wireshark, which knows
  nothing of us, reads it up to the coffee machine.

  Scenario: Registration, advertisement and coffee are seen on the air, with good checksums
    Given the network "sixlowpan"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then www brews coffee on kit_one within 15 s
    And Wireshark finds "icmpv6.type == 133" on the air of node_one within 5 s
    And Wireshark finds "icmpv6.type == 134 && icmpv6.opt.prefix.flag.l == 0 && icmpv6.opt.prefix.flag.a == 1 && ipv6.hlim == 255" on the air of node_one within 5 s
    And Wireshark finds "icmpv6.opt.type == 34" on the air of node_one within 5 s
    And Wireshark finds "icmpv6.type == 135 && icmpv6.opt.type == 33" on the air of node_one within 5 s
    And Wireshark finds "icmpv6.type == 136 && icmpv6.opt.aro.status == 0" on the air of node_one within 5 s
    And Wireshark finds 'coap.code == 2 && coap.opt.uri_path == "coffee"' on the air of node_one within 5 s
    And Wireshark finds "coap.code == 68" on the air of node_one within 5 s
    And Wireshark finds nothing wrong on the air of node_one

  Scenario: Kits of 2015 are understood by a Pi that makes addresses as they do, and others are not
    Given the network "old-kits"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then kit_old reaches www within 10 s
    And www brews coffee on kit_old within 10 s
    And Wireshark finds no "icmpv6.opt.type == 33 || icmpv6.opt.type == 34" on the air of node_one
    And www does not reach kit_new in 3 s

  Scenario: Five Pis with three kits each
    Given the network "kits-of-five"
    And tinc is set up as it should be, by router.toml
    When all daemons are started
    Then every client reaches www within 20 s
    And www reaches every client within 20 s
    And kit_one_a reaches kit_five_c within 10 s
    And www brews coffee on kit_three_b within 10 s
    And Wireshark finds nothing wrong on the air of node_three

  Scenario: A Pi whose router stops tells its kits, and they come back with it
    Given the network "sixlowpan"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then kit_one reaches www within 10 s
    When the daemon on node_one is stopped
    Then the addresses of kit_one in "2001:db8:85a3:ef11::/64" are deprecated within 5 s
    And www does not reach kit_one in 1 s
    When the daemon on node_one is started
    Then kit_one reaches www within 15 s, and how soon is told
