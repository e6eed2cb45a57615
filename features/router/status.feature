@v6router
Feature: A router tells what it knows

  `v6router status` asks the daemon that runs: how other nodes are reached and why so, which way the machine's own
  packets leave, and who was seen on its networks.

  Scenario: A Pi tells of the server, of the way out and of its laptop
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And laptop knows no more than routers tell it
    And all daemons run
    Then laptop reaches www within 10 s
    And status on node_one says "v6router  udp 198.51.100.10:655" within 5 s
    And status on node_one says "Way out: by the tunnel" within 5 s
    And status on node_one says "v6router at 198.51.100.10:655 by 192.168.1.1 on eth0" within 1 s
    And status on node_one says "Network eth1, 2001:db8:85a3:ef11::/64: 1 client" within 5 s
    And status on v6router says "2001:db8:85a3:ef11::/64" within 1 s

  Scenario: What the venue says of IPv6 is told, and that it is not asked
    Given the network "how-to" with cafe like "rogue-ra"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then node_one reaches www within 10 s
    And status on node_one says "Way out: by the tunnel" within 5 s
    And status on node_one says "venue's router" within 10 s

  Scenario: Where UDP is blocked, that is the reason
    Given the network "how-to" with cafe like "hotel-udp-blocked"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then node_one reaches www within 10 s
    And status on node_one says "v6router  tcp 198.51.100.10:655: no answer by UDP yet" within 5 s

  Scenario: A connection through a proxy is told as one
    Given the network "how-to" with cafe like "proxy-only"
    And tinc is set up as it should be, by router.toml
    And v6router is to be found at port 443
    And node_one's tinc.conf also says "Proxy = http 192.168.1.1 3128"
    And all daemons run
    Then node_one reaches www within 10 s
    And status on node_one says "v6router  proxy http 192.168.1.1 port 3128: no answer by UDP yet" within 5 s

  Scenario: Who is not running says nothing
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then status on node_one says "node_one in network v6router" within 5 s
    When the daemon on node_one is stopped
    And node_one runs "v6router status -n v6router"
    Then that fails and names "no daemon answers at /run/tinc.v6router.status"
