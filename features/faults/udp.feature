Feature: What networks do to UDP while packets flow

  A tincd alone notices after a minute. With a v6router at one end, whichever end that is, it is a matter of seconds.

  @v6router @mixed
  Scenario: UDP is blocked, and let pass again
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    When UDP is blocked at cafe
    Then pings of 100 bytes from laptop to www are answered within 10 s
    # Longer than a discovery lasts, so that they are given up as silent.
    And 6000 pings from laptop to www lose none
    When UDP passes cafe again
    Then pings from node_one to v6router go directly by UDP within 60 s
    And 1000 pings from laptop to www lose none

  @v6router @mixed
  Scenario Outline: The uplink carries <bytes> bytes, and as much as before again<told>
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    And pings of 1400 bytes from laptop to www are answered within 5 s
    When the uplink of cafe carries <bytes> bytes<told>
    Then pings of 1400 bytes from laptop to www are answered within 5 s
    When the uplink of cafe carries 1500 bytes
    Then pings of 1400 bytes from laptop to www are answered within 5 s

    Examples:
      | bytes | told                 |
      | 1400  |                      |
      | 1280  | , and nobody is told |

  # A tincd that has measured that the shortest packets of IPv6 do not fit refuses them for good.
  @v6router
  Scenario: The uplink carries no more than the shortest packets of IPv6
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    And pings of 1400 bytes from laptop to www are answered within 5 s
    When the uplink of cafe carries 1280 bytes
    Then pings of 1400 bytes from laptop to www are answered within 5 s
    When the uplink of cafe carries 1500 bytes
    Then pings of 1400 bytes from laptop to www are answered within 5 s

  # Only what is sent from inside reminds the router that the flow is wanted. A kernel solicits routers on the overlay
  # 4, 12 and 28 s after its interface came up, which reminds it too; so the silence lies between.
  Scenario: The router forgets flows after a few seconds of silence
    Given the network "how-to"
    And tinc is set up as it should be
    And node_one's tinc.conf also says "PingInterval = 1"
    When cafe runs "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3 net.netfilter.nf_conntrack_udp_timeout_stream=3"
    Then that succeeds
    When all daemons are started
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    When no client says anything for 20 s
    Then www reaches laptop within 1 s
    And pings from node_one to v6router go directly by UDP within 1 s

  # Who is told nothing has to be offered segments that fit. A daemon can offer them once it has measured the path; one
  # of the reference leaves conversations hanging that began before.
  Scenario: Machines that are deaf to "packet too big" exchange files all the same
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    And pings from node_one to v6router go directly by UDP within 8 s
    Given www and laptop are deaf to "packet too big"
    Then pings of 1500 bytes from laptop no longer arrive at www after 40 s
    And pings of 1500 bytes from www no longer arrive at laptop after 40 s
    And www sends 1000 kB to laptop by TCP within 5 s
    And laptop sends 1000 kB to www by TCP within 5 s
