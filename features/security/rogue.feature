Feature: Who is no router is not taken for one, and who knocks everywhere is not let in everywhere

  Advertisements come from the venue, from a peer on the VPN, from a kit. They wish to be preferred, and nobody behind a
  Pi believes them.

  @v6router
  Scenario: A kit that advertises itself is not heard by others
    Given the network "sixlowpan"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then kit_one reaches www within 10 s
    When kit_two advertises "2001:db8:bad::/64" on its interface bt0
    Then node_one has no address of "2001:db8:bad::/64" in 2 s
    And kit_one has no address of "2001:db8:bad::/64" in 2 s
    And Wireshark finds "icmpv6.type == 134 && ipv6.src == fe80::c276:36ff:fe00:2" on the air of node_one within 2 s
    And the way from kit_one to www leads through node_one, then v6router, then internet, then www

  @v6router
  Scenario: A venue that advertises itself is used for what carries the tunnel, and for nothing else
    Given the network "sixlowpan" with cafe like "rogue-ra"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then kit_one reaches www within 10 s
    And the way from kit_one to www leads through node_one, then v6router, then internet, then www
    And the way from laptop to www leads through node_one, then v6router, then internet, then www

  @mixed
  Scenario: A peer that advertises itself on the VPN is not heard by those who are routers themselves
    Given the network "five-pis"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then every client reaches www within 20 s
    # It would listen, if anything came.
    When node_two runs "sysctl -w net.ipv6.conf.v6router.accept_ra=2"
    Then that succeeds
    When node_one advertises "2001:db8:bad::/64" on its interface v6router
    Then node_two has no address of "2001:db8:bad::/64" in 3 s
    And laptop_two has no address of "2001:db8:bad::/64" in 1 s
    And the way from laptop_two to www leads through node_two, then v6router, then internet, then www

  @v6router
  Scenario: Somebody on the internet who tries every address does not fill a Pi's neighbour cache
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then www reaches laptop within 8 s
    When www sends to 20000 addresses of "2001:db8:85a3:ef11::/64"
    Then node_one has asked for at most 450 neighbours
    And www reaches laptop within 1 s
    And 100 pings from www to laptop lose none

  @v6router
  Scenario: Somebody on the internet who tries every address of a link of 256 does not fill the server's neighbour cache
    Given the network "siege"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then www reaches laptop within 8 s
    When www sends to 20000 addresses of "2001:db8:85a3:ef00::/64"
    Then v6router has asked for at most 300 neighbours
    And www reaches phone within 1 s
    And 100 pings from www to laptop lose none
