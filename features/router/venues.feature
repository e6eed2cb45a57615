@v6router
Feature: A Pi that is a router by router.toml is one in every venue

  Whatever the venue advertises, and whether or not it has IPv6 of its own: what the laptop behind the Pi sends leaves by
  the tunnel, and what carries the tunnel does not enter it.

  Scenario Outline: A laptop that only knows what the Pi tells it is on the internet in <venue>
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be, by router.toml
    And v6router is to be found at port <port>
    And laptop knows no more than routers tell it
    When all daemons are started
    Then laptop reaches www within 10 s, and how soon is told
    And node_one reaches www within 5 s
    And www reaches laptop within 2 s
    And the way from laptop to www leads through node_one, then v6router, then internet, then www

    Examples:
      | venue             | port |
      | home-good         | 655  |
      | rogue-ra          | 655  |
      | broken-v6         | 655  |
      | hotel-symmetric   | 655  |
      | hotel-udp-blocked | 655  |
      | web-only          | 443  |
      | enterprise        | 443  |
      | cgnat-mobile      | 655  |
      | clash-lan         | 655  |
      | low-mtu           | 655  |
      | satellite-geo     | 655  |

  Scenario: Where there is no IPv4, a server known by its IPv4 number is found through the venue's NAT64
    Given the network "how-to" with cafe like "conference-v6mostly"
    And tinc is set up as it should be, by router.toml
    And somebody listens between cafe and node_one
    When all daemons are started
    Then laptop reaches www within 20 s, and how soon is told
    And node_one reaches www within 5 s
    And www reaches laptop within 2 s
    And pings from laptop to www go by UDP 655 within 15 s

  Scenario: A Pi that moves on takes its prefix along
    Given the network "roaming"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then laptop reaches www within 8 s
    When node_one moves to hotel
    Then laptop reaches www within 30 s, and how soon is told
    And www reaches laptop within 2 s
