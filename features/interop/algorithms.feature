@mixed
Feature: Ciphers, digests and compression of tincd

  The receiver of packets says how they are to be sealed: its own host file has Cipher, Digest, MACLength and
  Compression. Whichever daemon asks for it, the other one obliges, and the packets go by UDP.

  Scenario Outline: <cipher>, <digest>, <mac> bytes of MAC, compression <level>, between <server> and <pi>
    Given the network "how-to"
    And the daemon on v6router is to be <server>
    And the daemon on node_one is to be <pi>
    And tinc is set up as it should be
    And v6router wants its packets by "Cipher = <cipher>, Digest = <digest>, MACLength = <mac>, Compression = <level>"
    And node_one wants its packets by "Cipher = <cipher>, Digest = <digest>, MACLength = <mac>, Compression = <level>"
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    And www reaches laptop within 1 s
    And pings from laptop to www go by UDP 655 within 15 s

    Examples:
      | server   | pi       | cipher       | digest     | mac | level |
      | tincd    | v6router | aes-128-cfb  | sha1       | 20  | 1     |
      | v6router | tincd    | camellia256  | sha3-512   | 64  | 9     |
      | tincd    | v6router | aria-192-ofb | blake2s256 | 8   | 10    |
      | v6router | tincd    | des3         | ripemd160  | 4   | 11    |
      | tincd    | v6router | sm4-ecb      | md5        | 16  | 0     |
      | tincd    | v6router | none         | none       | 0   | 0     |

  Scenario: A tincd that wants packets in clear gets them through the encrypted connection instead
    Given the network "how-to"
    And the daemon on v6router is to be v6router
    And the daemon on node_one is to be tincd
    And tinc is set up as it should be
    And node_one wants its packets by "Cipher = none"
    And somebody listens between internet and cafe
    When all daemons are started
    Then laptop reaches www within 5 s
    And the daemon on v6router says "sent a packet key that cannot be used" within 5 s
    When www says "meet me behind the old mill" to laptop
    Then nobody heard "meet me behind the old mill"
