@v6router @serial
Feature: A crowd behind one address is no flood

  The reference has most of them wait: a minute went by until a hundred were served.

  Scenario: Thirty Pis of a school come to a server at once, and come back to it after it was gone
    Given the network "school"
    And tinc is set up as it should be
    When all daemons are started
    Then every client reaches www within 20 s
    When the daemon on v6router is killed
    And the daemon on v6router is started
    Then every client reaches www within 20 s
