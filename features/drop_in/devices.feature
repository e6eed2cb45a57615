Feature: Devices of other kinds

  Scenario: A server without a device passes on all the same
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "DeviceType = dummy"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    Then laptop_one reaches laptop_five within 8 s
    And node_one reaches 10.87.0.15 within 1 s
    And v6router does not reach 10.87.0.15 in 0.5 s

  Scenario: A raw socket brings a link that is there already into the mesh
    Given the network "how-to"
    And tinc is set up as it should be
    And node_one's interface is eth1, as a raw socket
    When all daemons are started
    And laptop runs "ip -6 address add 2001:db8:85a3:ef00::77/64 dev eth0 nodad"
    Then that succeeds
    And laptop reaches v6router within 5 s
    And v6router reaches 2001:db8:85a3:ef00::77 within 1 s
