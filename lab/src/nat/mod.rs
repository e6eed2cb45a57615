//! What a venue's router does to packets, as nft rulesets.
