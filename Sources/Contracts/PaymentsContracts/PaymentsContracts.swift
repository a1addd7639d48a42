package enum PaymentsContractsVersion {}
