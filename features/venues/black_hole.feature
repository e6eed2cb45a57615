Feature: A line into which long packets vanish without a word

  A v6router tries which packets arrive and sends no longer ones. A tincd that cannot send a packet by UDP sends it by
  TCP, which relies on being told what is too long, and is not.

  @v6router
  Scenario: Long pings pass the tunnel nonetheless
    Given the network "how-to" with cafe like "mtu-blackhole"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    And pings of 1400 bytes from laptop to www are answered within 10 s
    And pings of 1400 bytes from www to laptop are answered within 10 s

  @tincd
  Scenario: A tincd's long pings fall into the hole
    Given the network "how-to" with cafe like "mtu-blackhole"
    And tinc is set up as it should be
    And all daemons run
    Then laptop reaches www within 10 s
    And pings of 1400 bytes from laptop to www get no answer in 20 s
