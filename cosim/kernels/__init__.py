"""Array loops: rank-1 updates by pulse coincidence, conversion, convolution patches."""
