@v6router @tincd
Feature: Wherever the line is slow, narrow or bad, a Pi is on the internet

  A line that loses packets, or takes long, costs those of a tunnel the same as any others and keeps nobody from the
  server. How soon laptops reach the internet, and how much is lost, is told, so that runs with different daemons can be
  held against each other.

  Scenario Outline: A Pi at the end of a line like that of <venue> is on the internet
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    When all daemons are started
    Then laptop reaches www within 20 s, and how soon is told
    And www reaches laptop within 4 s
    And pings from node_one to v6router go directly by UDP within 30 s
    And of 300 pings from laptop to www at most <lost> % are lost

    Examples:
      | venue           | lost |
      | low-mtu         | 0    |
      | satellite-geo   | 0    |
      | cgnat-mobile    | 20   |
      | conference-busy | 40   |
      | lossy-wifi      | 30   |

  Scenario Outline: Pings of <bytes> bytes pass a line like that of <venue>, which carries 1400 with all headers
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    And pings of <bytes> bytes from laptop to www are answered within 20 s
    And pings of <bytes> bytes from www to laptop are answered within 20 s

    Examples:
      | venue         | bytes |
      | low-mtu       | 1280  |
      | low-mtu       | 1400  |
      | mtu-blackhole | 1280  |
