package enum WarehouseContractsVersion {}
