@v6router @tincd
Feature: Wherever UDP and TCP may leave, a Pi is on the internet

  What the venue's router, and the carrier's behind it, do to ports and how soon they forget does not keep a Pi from
  the server: it is the Pi that dials. How soon laptops reach the internet is told, so that runs with different daemons
  can be held against each other.

  Scenario Outline: A Pi in a place like <venue> is on the internet
    Given the network "how-to" with cafe like "<venue>"
    And tinc is set up as it should be
    When all daemons are started
    Then laptop reaches www within 10 s, and how soon is told
    And www reaches laptop within 2 s
    And 100 pings from laptop to www lose none
    And pings from node_one to v6router go directly by UDP within 10 s

    Examples:
      | venue              |
      | address-restricted |
      | carrier-block      |
      | cgnat-fixed        |
      | full-cone-router   |
      | home-default       |
      | home-good          |
      | hotel-symmetric    |
      | naive-masquerade   |
      | short-nat          |
      | symmetric-addr     |
      | symmetric-seq      |
