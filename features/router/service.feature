@v6router
Feature: A service that listens to both families at once

  Where a daemon binds IPv6 with one socket, whoever comes by IPv4 is served too; one that binds IPv4 alone is not found
  by the address that never changes.

  Scenario: A Pi's echo is reached by its overlay address, by its prefix and by the venue's IPv4
    Given the network "how-to"
    And tinc is set up as it should be, by router.toml
    And node_one offers an echo to both families
    And all daemons run
    Then laptop reaches www within 8 s
    And the echo of node_one answers www at "2001:db8:85a3:ef11::1" within 5 s
    And the echo of node_one answers www at "2001:db8:85a3:ef00::11" within 5 s
    And the echo of node_one answers cafe at "192.168.1.6" within 5 s
