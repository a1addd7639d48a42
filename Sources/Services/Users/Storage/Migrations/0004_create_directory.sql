-- up
-- An account that an administrator makes has no password before one is set: nobody can log in to it.
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
CREATE INDEX users_by_lsn ON users (company_id, lsn);
CREATE INDEX users_by_role ON users (company_id, role, lsn);
-- Logging in and a new password are no new version of the user.
CREATE TRIGGER users_keep_base
    BEFORE UPDATE OF id, lsn, created_at, vars, company_id, username, email, full_name, phone, role, total_spent ON users
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE companies (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    code text NOT NULL CHECK (char_length(code) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    is_active boolean NOT NULL,
    activated_at timestamp with time zone,
    CONSTRAINT companies_code_key UNIQUE NULLS NOT DISTINCT (company_id, code)
);
CREATE INDEX companies_by_lsn ON companies (company_id, lsn);
CREATE TRIGGER companies_keep_base BEFORE UPDATE ON companies
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE groups (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    code text NOT NULL CHECK (char_length(code) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT groups_code_key UNIQUE NULLS NOT DISTINCT (company_id, code)
);
CREATE INDEX groups_by_lsn ON groups (company_id, lsn);
CREATE TRIGGER groups_keep_base BEFORE UPDATE ON groups
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE permissions (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    code text NOT NULL CHECK (char_length(code) BETWEEN 1 AND 64),
    about text CHECK (char_length(about) BETWEEN 0 AND 500),
    CONSTRAINT permissions_code_key UNIQUE NULLS NOT DISTINCT (company_id, code)
);
CREATE INDEX permissions_by_lsn ON permissions (company_id, lsn);
CREATE TRIGGER permissions_keep_base BEFORE UPDATE ON permissions
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE group_members (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    group_id uuid NOT NULL,
    user_id uuid NOT NULL,
    UNIQUE (user_id, group_id),
    CONSTRAINT group_members_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups(id) ON DELETE CASCADE,
    CONSTRAINT group_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE INDEX group_members_by_lsn ON group_members (company_id, lsn);
CREATE INDEX group_members_group_id ON group_members (group_id);
CREATE INDEX group_members_user_id ON group_members (user_id);
CREATE TRIGGER group_members_keep_base BEFORE UPDATE ON group_members
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE group_permissions (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    group_id uuid NOT NULL,
    permission_id uuid NOT NULL,
    UNIQUE (group_id, permission_id),
    CONSTRAINT group_permissions_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups(id) ON DELETE CASCADE,
    CONSTRAINT group_permissions_permission_id_fkey
        FOREIGN KEY (permission_id) REFERENCES permissions(id) ON DELETE CASCADE
);
CREATE INDEX group_permissions_by_lsn ON group_permissions (company_id, lsn);
CREATE INDEX group_permissions_group_id ON group_permissions (group_id);
CREATE INDEX group_permissions_permission_id ON group_permissions (permission_id);
CREATE TRIGGER group_permissions_keep_base BEFORE UPDATE ON group_permissions
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- down
DROP TABLE group_permissions;
DROP TABLE group_members;
DROP TABLE permissions;
DROP TABLE groups;
DROP TABLE companies;
DROP TRIGGER users_keep_base ON users;
DROP INDEX users_by_role;
DROP INDEX users_by_lsn;
UPDATE users SET password_hash = '' WHERE password_hash IS NULL;
ALTER TABLE users ALTER COLUMN password_hash SET NOT NULL;
