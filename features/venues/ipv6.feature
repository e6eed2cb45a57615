@v6router @tincd
Feature: IPv6 of a venue neither disturbs the Pi's own nor is needed for it

  Laptops behind the Pi have the addresses it brings, whatever the venue advertises: when the Pi becomes a router, before
  it has its own way to the internet, it gives up what it heard in the venue.

  Scenario Outline: Laptops do not notice that <what>
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    When all daemons are started
    Then laptop reaches www within 10 s, and how soon is told
    And node_one reaches www within 5 s
    And www reaches laptop within 2 s
    And 100 pings from laptop to www lose none

    Examples:
      | what                               | venue     |
      | the venue has IPv6 of its own      | home-good |
      | somebody advertises a dead prefix  | rogue-ra  |
      | the venue's IPv6 leads nowhere     | broken-v6 |

  Scenario: A name with an IPv6 address that is broken is no reason to wait for long
    Given the network "how-to" with cafe like "broken-v6"
    And tinc is set up as it should be
    And node_one knows v6router as v6router.example
    When all daemons are started
    Then laptop reaches www within 40 s, and how soon is told

  Scenario: Where IPv4 is not given to who can do without, a router by scripts has no way to the server's number
    Given the network "how-to" with cafe like "conference-v6mostly"
    And tinc is set up as it should be
    When all daemons are started
    Then laptop does not reach www in 5 s
    And the daemon on node_one says "unreachable" within 10 s
