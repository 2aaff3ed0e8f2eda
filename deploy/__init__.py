"""Everything that puts Peerline on machines: local engines today, images and manifests beside them."""
