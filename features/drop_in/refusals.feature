Feature: What is not passed on is refused in the same words by either daemon

  Field by field, in router mode. Lengths are those of the errors as IP packets; what they quote is checked as well.

  Scenario: Nobody owns the destination
    Given the network "how-to"
    And tinc is set up as it should be, in router mode
    And all daemons run
    Then node_one reaches v6router within 5 s
    And node_one is refused these packets:
      | to         | payload | hops | by         | type | code | mtu | length |
      | 10.87.99.1 | 100     | 64   | 10.87.99.1 | 3    | 6    | 0   | 156    |
      | 10.87.99.1 | 1200    | 64   | 10.87.99.1 | 3    | 6    | 0   | 576    |
      | 10.87.99.1 | 100     | 1    | 10.87.99.1 | 3    | 6    | 0   | 156    |
      | fd00::1    | 100     | 64   | fd00::1    | 1    | 3    | 0   | 196    |
      | fd00::1    | 1200    | 64   | fd00::1    | 1    | 3    | 0   | 576    |

  Scenario: A path is too small
    Given the network "how-to"
    And tinc is set up as it should be, in router mode
    And node_one's tinc.conf also says "PMTU = 1000"
    And all daemons run
    Then node_one reaches v6router within 5 s
    And node_one is refused these packets:
      | to                    | payload | hops | by                    | type | code | mtu  | length |
      | 10.87.0.1             | 1100    | 64   | 10.87.0.1             | 3    | 4    | 986  | 576    |
      | 2001:db8:85a3:ef00::1 | 1300    | 64   | 2001:db8:85a3:ef00::1 | 2    | 0    | 1280 | 576    |

  Scenario: The server forwards nothing between Pis
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "Forwarding = off"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    And all daemons run
    Then every client reaches www within 8 s
    And node_one is refused these packets:
      | to                     | payload | hops | by                     | type | code | mtu | length |
      | 10.87.0.15             | 100     | 64   | 10.87.0.15             | 3    | 9    | 0   | 156    |
      | 2001:db8:85a3:ef00::15 | 100     | 64   | 2001:db8:85a3:ef00::15 | 1    | 1    | 0   | 196    |

  Scenario: No relay may be used
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And node_one's tinc.conf also says "DirectOnly = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    And all daemons run
    Then every client reaches www within 8 s
    And node_one is refused these packets:
      | to                     | payload | hops | by                     | type | code | mtu | length |
      | 10.87.0.15             | 100     | 64   | 10.87.0.15             | 3    | 9    | 0   | 156    |
      | 2001:db8:85a3:ef00::15 | 100     | 64   | 2001:db8:85a3:ef00::15 | 1    | 1    | 0   | 196    |

  Scenario: The server counts as a hop
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "DecrementTTL = yes"
    And node_one's tinc.conf also says "IndirectData = yes"
    And node_five's tinc.conf also says "IndirectData = yes"
    And all daemons run
    Then every client reaches www within 8 s
    And node_one is refused these packets:
      | to                     | payload | hops | by       | type | code | mtu | length |
      | 2001:db8:85a3:ef00::15 | 100     | 1    | v6router | 3    | 0    | 0   | 196    |
