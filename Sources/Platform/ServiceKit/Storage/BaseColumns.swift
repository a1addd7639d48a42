/// The columns that every table has (P3): `id`, `lsn`, `created_at`, `updated_at`, `vars`, `company_id`.
package enum BaseColumns {
    /// For a `CREATE TABLE` of a migration file; spelled out there, since migrations are plain SQL.
    package static let names = ["id", "lsn", "created_at", "updated_at", "vars", "company_id"]
}
