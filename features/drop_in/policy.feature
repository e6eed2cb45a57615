Feature: Who is believed, and who is told

  In a mesh of tinc everybody may say that a subnet is his. With StrictSubnets the host files say who owns what, whatever
  is announced; with TunnelServer, moreover, the server tells nobody about anybody but itself.

  # Of two owners the one with the lower weight gets the packets; without a word it is 10.
  Scenario: Without a policy, whoever claims a subnet gets its packets
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And node_two's tinc.conf also says "Subnet = 10.87.0.11#1"
    And node_two's tinc.conf also says "Subnet = 2001:db8:85a3:ef11::/64#1"
    And all daemons run
    Then node_one reaches www within 8 s
    And node_two reaches www within 8 s
    And v6router does not reach 10.87.0.11 in 2 s
    And www does not reach laptop_one in 2 s

  # The owner is strict as well, since a claim that is not believed is passed on all the same.
  Scenario: With StrictSubnets the owner in the host files keeps what another claims
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "StrictSubnets = yes"
    And node_one's tinc.conf also says "StrictSubnets = yes"
    And node_two's tinc.conf also says "Subnet = 10.87.0.11#1"
    And node_two's tinc.conf also says "Subnet = 2001:db8:85a3:ef11::/64#1"
    And all daemons run
    Then every client reaches www within 8 s
    And v6router reaches 10.87.0.11 within 2 s
    And 200 pings from v6router to 10.87.0.11 lose none
    And 200 pings from www to laptop_one lose none
    And v6router reaches 10.87.0.12 within 2 s
    # Who claims it gets nothing in the owner's absence either.
    When the daemon on node_one is killed
    Then v6router hears "no route to destination" about 10.87.0.11

  Scenario: Behind a TunnelServer nobody learns of anybody else, and all are on the internet
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "TunnelServer = yes"
    And all daemons run
    Then every client reaches www within 8 s
    And www reaches every client within 5 s
    When node_one runs "tincd -n v6router -kUSR2"
    Then that succeeds
    And the daemon on node_one says "End of subnet list" within 3 s
    And the daemon on node_one has said "node_two" 0 times
    And the daemon on node_one has said "node_five" 0 times
    # The same question is answered by the server, who knows them.
    When v6router runs "tincd -n v6router -kUSR2"
    Then that succeeds
    And the daemon on v6router says "10.87.0.15/32#10 owner node_five" within 3 s

  Scenario: Behind a TunnelServer a neighbour's subnets are those of its host file, and no other Pi has any
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "TunnelServer = yes"
    And node_two's tinc.conf also says "Subnet = 10.87.0.11#1"
    And all daemons run
    Then every client reaches www within 8 s
    And 200 pings from v6router to 10.87.0.11 lose none
    And node_one reaches 10.87.0.1 within 2 s
    And node_one hears "destination unreachable, code 6" about 10.87.0.15

  @mixed
  Scenario Outline: A <server> that is a TunnelServer keeps a <pi> apart from the others
    Given the network "five-pis"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "TunnelServer = yes"
    And node_two's tinc.conf also says "Subnet = 10.87.0.11#1"
    And all daemons run
    Then every client reaches www within 8 s
    And 200 pings from v6router to 10.87.0.11 lose none
    And node_one hears "destination unreachable, code 6" about 10.87.0.15

    Examples:
      | server   | pi       |
      | tincd    | v6router |
      | v6router | tincd    |

  Scenario: A server in switch mode that forwards nothing keeps Pis apart, and they are on the internet
    Given the network "five-pis" with home_one like "hotel-udp-blocked"
    And tinc is set up as it should be
    And v6router's tinc.conf also says "Forwarding = off"
    When all daemons are started
    Then every client reaches www within 12 s
    And node_one does not reach node_two in 3 s
    And node_two does not reach node_one in 1 s
