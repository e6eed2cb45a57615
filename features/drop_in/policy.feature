Feature: Who may say what belongs to whom

  In a mesh everybody may claim any subnet. StrictSubnets takes the word of the files instead, and TunnelServer keeps
  those apart who have only the server in common.

  # The laptop's own address, a longer prefix than the network of its Pi.
  Scenario: A Pi takes the packets of another's laptop
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And node_five claims 2001:db8:85a3:ef11::100 as well
    When all daemons are started
    Then laptop_five reaches www within 8 s
    And laptop_one does not reach www in 2 s

  # The server and the laptop's own Pi, who both would be misled.
  Scenario: Those who go by their files leave them to the laptop
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And node_five claims 2001:db8:85a3:ef11::100 as well
    And v6router's tinc.conf also says "StrictSubnets = yes"
    And node_one's tinc.conf also says "StrictSubnets = yes"
    When all daemons are started
    Then laptop_five reaches www within 8 s
    And every client reaches www within 8 s
    And 100 pings from laptop_one to www lose none

  Scenario: Everybody hears of everybody
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    When all daemons are started
    Then every client reaches www within 8 s
    And node_one reaches 10.87.0.15 within 5 s
    When node_one runs "tincd -n v6router -kUSR2"
    Then the daemon on node_one says "End of subnet list." within 2 s
    And the daemon on node_one says "node_five to v6router at" within 1 s

  Scenario: Behind a tunnel server nobody hears of others
    Given the network "five-pis"
    And tinc is set up as it should be, in router mode
    And v6router's tinc.conf also says "TunnelServer = yes"
    When all daemons are started
    Then every client reaches www within 8 s
    And www reaches every client within 2 s
    And node_one hears "destination unreachable, code 6" about 10.87.0.15
    When node_one runs "tincd -n v6router -kUSR2"
    Then the daemon on node_one says "End of subnet list." within 2 s
    And the daemon on node_one says "v6router to node_one at" within 1 s
    And the daemon on node_one has said "node_five" 0 times
