@v6router
Feature: A kit is on the internet in every venue that carries IPv4

  It is switched on when the Pi is there, and knows nothing. How soon it has reached the internet is told.

  Scenario Outline: A kit that is switched on in a place like <venue>, with the server at port <port>
    Given the network "sixlowpan" with cafe like "<venue>"
    And kit_one is switched off
    And tinc is set up as it should be, by router.toml
    And v6router is to be found at port <port>
    And all daemons run
    Then laptop reaches www within 30 s
    When kit_one is switched on
    Then kit_one reaches www within 10 s, and how soon is told
    And www brews coffee on kit_one within 10 s

    Examples:
      | venue              | port |
      | address-restricted | 655  |
      | broken-v6          | 655  |
      | cafe-dhcp          | 655  |
      | carrier-block      | 655  |
      | cgnat-fixed        | 655  |
      | cgnat-mobile       | 655  |
      | clash-lan          | 655  |
      | cloud-vm           | 655  |
      | conference-busy    | 655  |
      | dns-dead           | 655  |
      | dns-hijacked       | 655  |
      | dns-no-aaaa        | 655  |
      | dns-nxdomain       | 655  |
      | dns-slow           | 655  |
      | dpi-655            | 443  |
      | dpi-655-prohibited | 443  |
      | enterprise         | 443  |
      | full-cone-router   | 655  |
      | home-default       | 655  |
      | home-good          | 655  |
      | hotel-symmetric    | 655  |
      | hotel-udp-blocked  | 655  |
      | lossy-wifi         | 655  |
      | low-mtu            | 655  |
      | mtu-blackhole      | 655  |
      | naive-masquerade   | 655  |
      | rogue-ra           | 655  |
      | satellite-geo      | 655  |
      | short-nat          | 655  |
      | symmetric-addr     | 655  |
      | symmetric-seq      | 655  |
      | web-only           | 443  |

  Scenario: A kit in a hotel, once somebody has logged in with the Pi
    Given the network "sixlowpan" with cafe like "hotel-portal"
    And kit_one is switched off
    And tinc is set up as it should be, by router.toml
    And node_one has logged in at the portal of cafe
    And all daemons run
    Then laptop reaches www within 15 s
    When kit_one is switched on
    Then kit_one reaches www within 10 s, and how soon is told
    And www brews coffee on kit_one within 10 s

  Scenario: A kit in a place that is left by its web proxy alone
    Given the network "sixlowpan" with cafe like "proxy-only"
    And kit_one is switched off
    And tinc is set up as it should be, by router.toml
    And v6router is to be found at port 443
    And node_one's tinc.conf also says "Proxy = http 192.168.1.1 3128"
    And all daemons run
    Then laptop reaches www within 15 s
    When kit_one is switched on
    Then kit_one reaches www within 10 s, and how soon is told
    And www brews coffee on kit_one within 10 s
