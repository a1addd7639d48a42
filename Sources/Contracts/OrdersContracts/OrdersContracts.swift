package enum OrdersContractsVersion {}
