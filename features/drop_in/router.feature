Feature: Router mode, tinc's default

  No link is shared: each host file says which subnets are behind a node, and what nobody has is refused by the daemon.

  Scenario: A Pi and the laptop behind it are on the internet
    Given the network "how-to"
    And tinc is set up as it should be, in router mode
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    And www reaches laptop within 1 s
    And node_one reaches 10.87.0.1 within 1 s
    And v6router reaches 10.87.0.11 within 1 s
    And pings from laptop to www go by UDP 655 within 16 s
    And 1000 pings from laptop to www lose none
    And the way from laptop to www leads through node_one, then v6router, then internet, then www

  Scenario: What nobody has is refused at once
    Given the network "how-to"
    And tinc is set up as it should be, in router mode
    And all daemons run
    Then laptop reaches www within 5 s
    And node_one hears "destination unreachable, code 6" about 10.87.99.1
    And node_one hears "address unreachable" about fd00::1
    And laptop hears "address unreachable" about fd00::1

  Scenario: Five Pis in five homes
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    When all daemons are started
    Then every client reaches www within 8 s
    And www reaches every client within 2 s
    And laptop_one reaches laptop_five within 5 s
    And node_one reaches 10.87.0.15 within 5 s
    When the daemon on node_five is killed
    Then v6router hears "no route to destination" about 10.87.0.15

  # With indirect data packets between two Pis pass the server for good, not only until they find a way past it.
  Scenario: The server forwards nothing between Pis
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "Forwarding = off"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    Then every client reaches www within 8 s
    And node_one hears "administratively prohibited" about 10.87.0.15

  Scenario: The server counts as a hop
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "DecrementTTL = yes"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    Then laptop_one reaches laptop_five within 8 s
    And the way from laptop_one to laptop_five leads through node_one, then v6router, then node_five

  Scenario: The server counts as a hop of IPv4 too
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "DecrementTTL = yes"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    Then node_one reaches 10.87.0.15 within 8 s
    And node_one is refused these packets:
      | to         | payload | hops | by        | type | code | mtu | length |
      | 10.87.0.15 | 100     | 1    | 10.87.0.1 | 11   | 0    | 0   | 156    |

  Scenario: A server in switch mode counts as a hop
    Given the network "five-pis"
    And tinc is set up as it should be
    And v6router's tinc.conf also says "DecrementTTL = yes"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    And v6router runs "ip address add 10.66.0.1/24 dev v6router"
    And node_one runs "ip address add 10.66.0.11/24 dev v6router"
    And node_five runs "ip address add 10.66.0.15/24 dev v6router"
    Then node_one reaches 10.66.0.15 within 8 s
    And node_one is refused these packets:
      | to         | payload | hops | by        | type | code | mtu | length |
      | 10.66.0.15 | 100     | 1    | 10.66.0.1 | 11   | 0    | 0   | 156    |

  # A tincd lowers the hop limit of neighbour discovery too, so that nobody finds anybody.
  @v6router
  Scenario: A server in switch mode counts as a hop of IPv6 too
    Given the network "five-pis"
    And tinc is set up as it should be
    And v6router's tinc.conf also says "DecrementTTL = yes"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    Then every client reaches www within 8 s
    And laptop_one reaches laptop_five within 8 s
    And the way from laptop_one to laptop_five leads through node_one, then v6router, then node_five

  Scenario: The server's kernel forwards
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "Forwarding = kernel"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    When all daemons are started
    Then laptop_one reaches laptop_five within 8 s
    And the way from laptop_one to laptop_five leads through node_one, then v6router, then node_five

  Scenario: Router mode on a TAP device
    Given the network "how-to"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "DeviceType = tap"
    And node_one's tinc.conf also says "DeviceType = tap"
    When all daemons are started
    Then laptop reaches www within 5 s
    And www reaches laptop within 1 s
    And node_one reaches 10.87.0.1 within 1 s
    And v6router reaches 10.87.0.11 within 1 s

  @mixed
  Scenario Outline: <server> on the server, <pi> on the Pi
    Given the network "how-to"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be, in router mode
    When all daemons are started
    Then laptop reaches www within 5 s
    And www reaches laptop within 1 s
    And node_one reaches 10.87.0.1 within 1 s
    And v6router reaches 10.87.0.11 within 1 s
    And node_one hears "destination unreachable, code 6" about 10.87.99.1
    And 1000 pings from laptop to www lose none

    Examples:
      | server   | pi       |
      | tincd    | v6router |
      | v6router | tincd    |
