package enum UsersContractsVersion {}
