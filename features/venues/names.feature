@v6router @tincd
Feature: A server known by name is found where the venue's resolver is sound, and by its address elsewhere

  The address of a Pi comes from the venue by DHCP, and so does its resolver. The host file of the server says
  `Address = v6router.example`. A second line with the number makes up for a resolver that lies, denies or keeps silent. (The daemon is killed in between, since
  a tincd that waits for a silent resolver heeds no signal for ten seconds.)

  Scenario Outline: A resolver that <what> does not keep a Pi from the server
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    And node_one knows v6router as v6router.example
    When all daemons are started
    Then laptop reaches www within 20 s, and how soon is told

    Examples:
      | what                    | venue       |
      | tells the truth         | cafe-dhcp   |
      | takes 3 s               | dns-slow    |
      | denies IPv6 addresses   | dns-no-aaaa |

  Scenario Outline: Behind a resolver that <what> only the number helps
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    And node_one knows v6router as v6router.example
    When all daemons are started
    Then laptop does not reach www in 5 s
    And the daemon on node_one says "<said>" within 30 s
    When the daemon on node_one is killed
    And node_one knows v6router as v6router.example or by its number
    And the daemon on node_one is started
    Then laptop reaches www within 40 s, and how soon is told

    Examples:
      | what                 | venue        | said             |
      | says its own address | dns-hijacked | 192.168.1.1      |
      | denies every name    | dns-nxdomain | v6router.example |
      | is not there         | dns-dead     | v6router.example |
