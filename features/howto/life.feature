Feature: Daemons come and go, and leave things as they were

  Scenario Outline: Scripts run in tinc's order, and the kernel is left as it was, on <machine>
    Given the network "how-to"
    And tinc is set up as it should be, with scripts that note when they run
    And links, addresses and routes of <machine> are written down
    And all daemons run
    Then laptop reaches www within 5 s
    And links, addresses and routes of <machine> are not as written down
    And these scripts ran on <machine>, in this order:
      | tinc-up           |
      | host-up <peer>    |
      | hosts/<peer>-up   |
      | subnet-up <peer>  |
    Given the notes of <machine>'s scripts are thrown away
    When the daemon on <machine> is stopped
    Then these scripts ran on <machine>, in this order:
      | host-down <peer>      |
      | hosts/<peer>-down     |
      | subnet-down <peer>    |
      | subnet-down <machine> |
      | tinc-down             |
    And links, addresses and routes of <machine> are as written down

    Examples:
      | machine  | peer     |
      | v6router | node_one |
      | node_one | v6router |

  # tincd draws the nonces of its announcements from the second in which it starts: one that is started twice within the
  # same second repeats itself, and is not listened to. So nobody is started again sooner than after a second.
  Scenario Outline: A killed daemon that is started again is found again, on <machine>
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    When the daemon on <machine> is killed
    Then laptop does not reach www in 1.1 s
    When the daemon on <machine> is started
    Then laptop reaches www again in good time

    Examples:
      | machine  |
      | v6router |
      | node_one |

  Scenario: A daemon that is stopped and started again is found again
    Given the network "how-to"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 5 s
    When the daemon on node_one is stopped
    Then laptop does not reach www in 1.1 s
    When the daemon on node_one is started
    Then laptop reaches www again in good time
