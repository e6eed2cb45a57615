Feature: A network's mistakes are told before it is started

  Of a directory as somebody left it, `v6router check` says which line is wrong. The mistakes are those of the how-to.

  Background:
    Given the network "how-to"
    And tinc is set up as it should be

  Scenario: Nothing is wrong where nothing is
    Then check on v6router finds nothing wrong
    And check on node_one finds nothing wrong

  Scenario: The interface's name was swallowed
    Given v6router's tinc-up was written through an unquoted here-document
    Then check on v6router finds "empty-interface" in v6router/tinc-up

  Scenario: The interface stays down, and everything is on link
    Given v6router's tinc-up leaves the interface down and routes the whole address space to it
    Then check on v6router finds "interface-down" in v6router/tinc-up
    And check on v6router finds "pool-on-link" in v6router/tinc-up

  Scenario: Routes through addresses on no link
    Given v6router's tinc-up routes through 2001:db8:85a3::11, which is on no link
    And node_one's tinc-up routes through 2001:db8:85a3::1, which is on no link
    Then check on v6router finds "gateway-off-link" in v6router/tinc-up
    And check on node_one finds "default-gateway-off-link" in v6router/tinc-up

  Scenario: A name with a hyphen
    Given node_one calls itself "node-one" in tinc.conf
    Then check on node_one finds "invalid-name" in v6router/tinc.conf, line 1

  Scenario: A key made for another network than the one configured
    When node_one runs "mkdir -p /etc/tinc/node-one/hosts && tincd -n node-one -K"
    Then check on node_one finds "stray-directory" in node-one/rsa_key.priv

  Scenario: The server is looked for at a private address
    Given node_one looks for v6router at 10.0.0.1
    Then check on node_one finds "private-address" in v6router/hosts/v6router, line 1

  Scenario: Nobody switches forwarding on
    Given v6router's tinc-up does not switch forwarding on
    Then check on v6router finds "forwarding-off" in v6router/tinc-up

  Scenario: A list of networks that nothing reads
    When v6router runs "echo v6router > /etc/tinc/nets.boot"
    Then check on v6router finds "nets-boot" in nets.boot, line 1
