Feature: Pis behind NATs talk directly where their NATs can be opened

  The server tells each Pi where it sees the other, and both knock at the same time. Where that cannot work, the server
  goes on carrying their packets.

  Scenario Outline: Two Pis behind NATs talk without the server, <one> and <other>
    Given the network "four-venues"
    And tinc is set up as it should be
    And all daemons run
    # A tincd is told where the other is only if UDP to the server was proven before it asks, and asks once.
    Then pings from <one> to v6router go directly by UDP within 8 s
    And pings from <other> to v6router go directly by UDP within 8 s
    Then pings from <one> to <other> go directly by UDP within 10 s
    And 500 pings from <one> to <other> lose none

    Examples:
      | one      | other      |
      | node_one | node_two   |
      | node_one | node_three |

  @v6router
  Scenario: It does not matter that they ask for each other before the server knows where they are
    Given the network "four-venues"
    And tinc is set up as it should be
    When all daemons are started
    Then pings from node_three to node_one go directly by UDP within 15 s
    And 500 pings from node_one to node_three lose none

  Scenario Outline: Behind a NAT that cannot be opened the server carries the packets, <one> and <other>
    Given the network "four-venues"
    And tinc is set up as it should be
    And all daemons run
    # A tincd has no datagrams relayed before that.
    Then pings from <one> to v6router go directly by UDP within 8 s
    And pings from <other> to v6router go directly by UDP within 8 s
    And <one> reaches <other> within 5 s
    And pings from <one> to <other> go through v6router and lose none, for 12 s

    Examples:
      | one        | other     |
      | node_one   | node_four |
      | node_three | node_four |
