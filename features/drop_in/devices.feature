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

  Scenario Outline: Another path to the clone device, as a <type> device
    Given the network "how-to"
    And tinc is set up as it should be, in router mode
    And node_one's tinc.conf also says "DeviceType = <type>"
    And node_one's tinc.conf also says "Device = /run/clone"
    When node_one runs "ln -s /dev/net/tun /run/clone"
    Then that succeeds
    When all daemons are started
    Then the daemon on node_one says "/run/clone is a Linux tun/tap device (<type> mode)" within 1 s
    And laptop reaches www within 5 s
    And www reaches laptop within 1 s

    Examples:
      | type |
      | tun  |
      | tap  |

  Scenario: A raw socket brings a link that is there already into the mesh
    Given the network "how-to"
    And tinc is set up as it should be
    And node_one's interface is eth1, as a raw socket
    When all daemons are started
    And laptop runs "ip -6 address add 2001:db8:85a3:ef00::77/64 dev eth0 nodad"
    Then that succeeds
    And laptop reaches v6router within 5 s
    And v6router reaches 2001:db8:85a3:ef00::77 within 1 s
