# A tincd looks for the sender of one packet from an unknown address a second, and often that one is its own probe,
# which the network brings back to it: whether it is found in time is chance.
@v6router
Feature: Pis on one network need nobody outside to talk to one another

  With LocalDiscovery a probe goes to everybody on the network, and who is meant answers.

  Scenario: Two Pis behind one NAT find each other on their own network
    Given the network "one-lan"
    And tinc is set up as it should be
    And node_one's tinc.conf also says "LocalDiscovery = yes"
    And node_two's tinc.conf also says "LocalDiscovery = yes"
    And all daemons run
    Then pings from node_one to node_two stay on their network within 12 s
    And 500 pings from node_one to node_two lose none
