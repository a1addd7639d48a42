package enum CartContractsVersion {}
