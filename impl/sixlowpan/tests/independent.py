"""Compresses packets with scapy's codec of RFC 6282: the peer of independent.rs.

Reads from standard input, as JSON, what the ends of a link know and packets from one to the other;
writes the payloads, in hexadecimal. Of the forms that a packet may have one is drawn each time, so
that also those are written that no good compressor would choose. Which there are is worked out here,
after the RFC; laying them out in octets is scapy's part.

Left out, since scapy 2.5 cannot write them or writes them wrong:

- multicast addresses that are shortened, but for ff02::XX, together with a compressed next header
  or a traffic class whose ECN would have to move: only from a whole packet scapy takes their flags
  and scope, and from one it takes the traffic class as it stands there;
- fragment headers, whose reserved octet scapy takes for a length;
- IPv6 in IPv6;
- UDP without its checksum, which no sender leaves out by itself.
"""

import ipaddress
import json
import logging
import random
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.compat import raw
from scapy.layers.inet6 import IPv6
from scapy.layers.sixlowpan import (
    LoWPAN_IPHC,
    LoWPAN_NHC,
    LoWPAN_NHC_IPv6Ext,
    LoWPAN_NHC_UDP,
)
from scapy.packet import Raw

UDP = 17
# Numbers of extension headers, and how RFC 6282 section 4.2 counts them.
EXTENSIONS = {0: 0, 43: 1, 60: 3, 135: 4}
WITH_OPTIONS = (0, 60)
# What fills a header up to whole units of 8 octets (RFC 8200 section 4.2).
PADDINGS = [bytes(1)] + [bytes([1, length]) + bytes(length) for length in range(6)]
HOP_LIMITS = {1: 1, 64: 2, 255: 3}
LINK_LOCAL = bytes.fromhex("fe80000000000000")

draw = random.Random(6282)


def main():
    link = json.load(sys.stdin)
    contexts = [
        (number, ipaddress.IPv6Network((prefix, length)))
        for number, prefix, length in link["contexts"]
    ]
    ends = [bytes.fromhex(link[iid]) for iid in ("source_iid", "destination_iid")]
    payloads = [compress(bytes.fromhex(packet), ends, contexts) for packet in link["packets"]]
    json.dump([payload.hex() for payload in payloads], sys.stdout)


def compress(packet, ends, contexts):
    first = int.from_bytes(packet[:4], "big")
    traffic_class, flow_label = first >> 20 & 0xFF, first & 0xFFFFF
    next_header, hop_limit = packet[6], packet[7]
    source, destination, rest = packet[8:24], packet[24:40], packet[40:]

    headers, behind = next_headers(next_header, rest)
    dscp, ecn = traffic_class >> 2, traffic_class & 3
    tf = draw.choice(traffic_forms(dscp, ecn, flow_label))
    # ECN moves to the front, which these classes do not show.
    unmoved = (0x00, 0x55, 0xAA, 0xFF) if tf in (0, 2) else (0x00,)
    from_packet = not headers and traffic_class in unmoved
    sac, sam, sci = draw.choice(source_forms(source, ends[0], contexts))
    if destination[0] == 0xFF:
        m, (dac, dam, dci) = 1, draw.choice(multicast_forms(destination, contexts, from_packet))
    else:
        m, (dac, dam, dci) = 0, draw.choice(unicast_forms(destination, ends[1], contexts))
    named = sci != 0 or dci != 0 or draw.random() < 0.2
    fields = {
        "tf": tf,
        "nh": 1 if headers else 0,
        "hlim": draw.choice([0, HOP_LIMITS.get(hop_limit, 0)]),
        "sac": sac,
        "sam": sam,
        "m": m,
        "dac": dac,
        "dam": dam,
        **({"cid": 1, "sci": sci, "dci": dci} if named else {}),
    }
    addresses = {
        "src": str(ipaddress.IPv6Address(source)),
        "dst": str(ipaddress.IPv6Address(destination)),
    }
    if from_packet:
        header = IPv6(tc=traffic_class, fl=flow_label, nh=next_header, hlim=hop_limit, **addresses)
        return raw(LoWPAN_IPHC(**fields) / header / Raw(rest))
    base = LoWPAN_IPHC(
        tc_ecn=ecn,
        tc_dscp=dscp,
        flowlabel=flow_label,
        nhField=next_header,
        hopLimit=hop_limit,
        **fields,
        **addresses,
    )
    if headers:
        return raw(base / LoWPAN_NHC(exts=headers) / Raw(behind))
    return raw(base / Raw(rest))


def traffic_forms(dscp, ecn, flow_label):
    forms = [0]
    if dscp == 0:
        forms.append(1)
    if flow_label == 0:
        forms.append(2)
        if dscp == 0 and ecn == 0:
            forms.append(3)
    return forms


def source_forms(address, iid, contexts):
    forms = unicast_forms(address, iid, contexts)
    if address == bytes(16):
        forms.append((1, 0, 0))
    return forms


def unicast_forms(address, iid, contexts):
    """Triples of SAC, SAM and the number of the context; or of DAC, DAM and that."""
    short = bytes.fromhex("000000fffe00") + address[14:]
    carried = {1: address[8:], 2: short, 3: iid}
    forms = [(0, 0, 0)]
    if address[:8] == LINK_LOCAL:
        forms += [(0, mode, 0) for mode in carried if carried[mode] == address[8:]]
    for number, network in contexts:
        for mode, half in carried.items():
            if completed(network, half) == address:
                forms.append((1, mode, number))
    return forms


def completed(network, half):
    """The address with the prefix and, where that ends, `half`."""
    prefix, host = int(network.network_address), int(network.hostmask)
    return (prefix | (int.from_bytes(half, "big") & host)).to_bytes(16, "big")


def multicast_forms(address, contexts, from_packet):
    """Triples of DAC, DAM and the number of the context."""
    forms = [(0, 0, 0)]
    if address[:15] == bytes.fromhex("ff02") + bytes(13):
        forms.append((0, 3, 0))
    if not from_packet:
        return forms
    if not any(address[2:13]):
        forms.append((0, 2, 0))
    if not any(address[2:11]):
        forms.append((0, 1, 0))
    for number, network in contexts:
        if network.prefixlen <= 64:
            told = bytes([network.prefixlen]) + network.network_address.packed[:8]
            if address[3:12] == told:
                forms.append((1, 0, number))
    return forms


def next_headers(number, octets):
    """A number of headers from the front, compressed, and what is behind them."""
    headers = []
    while draw.random() < 0.8:
        if number in EXTENSIONS and len(octets) >= 8:
            length = 8 * (octets[1] + 1)
            data = octets[2:length]
            if number in WITH_OPTIONS and draw.random() < 0.5:
                data = without_padding(data)
            if len(octets) < length or len(data) > 255:
                break
            # Left to itself, scapy 2.5 counts an octet too many.
            header = LoWPAN_NHC_IPv6Ext(
                eid=EXTENSIONS[number], nh=0, nhField=octets[0], len=len(data), data=data
            )
            number, octets = octets[0], octets[length:]
        elif number == UDP and int.from_bytes(octets[4:6], "big") == len(octets) >= 8:
            header = udp(octets)
            number, octets = None, octets[8:]
        else:
            break
        if headers:
            headers[-1].nh = 1
        headers.append(header)
    return headers, octets


def without_padding(options):
    """Options without the padding at their end, if the receiver knows how to restore that."""
    at, last = 0, None
    while at < len(options):
        last = at
        if options[at] == 0:
            at += 1
        elif at + 1 < len(options):
            at += 2 + options[at + 1]
        else:
            return options
    if at != len(options) or last is None:
        return options
    return options[:last] if options[last:] in PADDINGS else options


def udp(octets):
    source, destination = octets[:2], octets[2:4]
    forms = [0]
    if destination[0] == 0xF0:
        forms.append(1)
    if source[0] == 0xF0:
        forms.append(2)
    if all(port[0] == 0xF0 and port[1] & 0xF0 == 0xB0 for port in (source, destination)):
        forms.append(3)
    form = draw.choice(forms)
    # What is carried of the ports, in bits.
    source_bits, destination_bits = [(16, 16), (16, 8), (8, 16), (4, 4)][form]
    return LoWPAN_NHC_UDP(
        C=0,
        P=form,
        udpSourcePort=int.from_bytes(source, "big") & (1 << source_bits) - 1,
        udpDestPort=int.from_bytes(destination, "big") & (1 << destination_bits) - 1,
        udpChecksum=int.from_bytes(octets[6:8], "big"),
    )


main()
