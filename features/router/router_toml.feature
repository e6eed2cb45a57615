@v6router
Feature: Two small files in place of scripts and radvd

  The server has a router.toml with its pool and its sites, the Pi one with its address, its gateway and the network it
  advertises to. No tinc-up, no radvd: addresses, routes, forwarding and advertisements are the daemon's own business,
  and so is leaving the kernel as it was.

  Scenario: A laptop that is told nothing but by the Pi is on the internet
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And laptop knows no more than routers tell it
    When all daemons are started
    Then laptop has made itself an address within 5 s
    And laptop reaches www within 5 s
    And www reaches laptop within 2 s
    And the way from laptop to www leads through node_one, then v6router, then internet, then www
    And www is told by v6router that there is no way to 2001:db8:85a3:ef77::1

  Scenario: The old way, with tinc-up, tinc-down and Debian's radvd beside our daemon, still works
    Given the network "how-to"
    And tinc is set up as it should be
    And laptop knows no more than routers tell it
    When all daemons are started
    And radvd is started on node_one
    Then laptop has made itself an address within 5 s
    And laptop reaches www within 8 s
    And www reaches laptop within 2 s

  Scenario: A laptop that comes later is served at once
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then node_one reaches www within 8 s
    When laptop forgets all but what routers tell it
    Then laptop has made itself an address within 4 s
    And laptop reaches www within 4 s

  Scenario: Five Pis in five homes
    Given the network "five-pis"
    And tinc is set up as it should be, by router.toml
    When all daemons are started
    Then every client reaches www within 8 s
    And www reaches every client within 2 s
    And the way from laptop_one to laptop_five leads through node_one, then v6router, then node_five

  Scenario Outline: The kernel is left as it was, on <machine>
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And links, addresses and routes of <machine> are written down
    And all daemons run
    Then laptop reaches www within 8 s
    And links, addresses and routes of <machine> are not as written down
    When the daemon on <machine> is stopped
    Then links, addresses and routes of <machine> are as written down

    Examples:
      | machine  |
      | v6router |
      | node_one |

  Scenario Outline: What a killed daemon leaves behind is put back, on <machine>
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And links, addresses and routes of <machine> are written down
    And all daemons run
    Then laptop reaches www within 8 s
    When the daemon on <machine> is killed
    And <machine> runs "v6router down -n v6router"
    Then that succeeds
    And links, addresses and routes of <machine> are as written down

    Examples:
      | machine  |
      | v6router |
      | node_one |

  Scenario: A killed daemon that is started again goes on
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And all daemons run
    Then laptop reaches www within 8 s
    When the daemon on node_one is killed
    Then laptop does not reach www in 1.1 s
    When the daemon on node_one is started
    Then laptop reaches www again in good time

  Scenario Outline: An upgrade leaves nothing behind, nor does it touch what others have set up, on <machine>
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    When <machine> runs "for n in $(seq 200); do ip -6 route add 2001:db8:f000:$(printf %x $n)::/64 dev eth0 proto static; done"
    Then that succeeds
    Given links, addresses and routes of <machine> are written down
    And all daemons run
    Then laptop reaches www within 8 s
    When the daemon on <machine> is replaced by v6router
    Then laptop reaches www again in good time
    # And once more in a hurry.
    When the daemon on <machine> is killed
    And the daemon on <machine> is started
    Then laptop reaches www again in good time
    When the daemon on <machine> is stopped
    Then links, addresses and routes of <machine> are as written down

    Examples:
      | machine  |
      | v6router |
      | node_one |
